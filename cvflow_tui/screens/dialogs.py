"""Small questions over a place: yes or no, one of a few, one line of text, leave or stay."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Button, Input, Static

from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.text import clean, one_line, plural
from cvflow_tui.widgets.key_words import KeyWords
from cvflow_tui.widgets.line_input import LineInput

if TYPE_CHECKING:
    from cvflow_tui.app import CvflowApp


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to a question: the key that gives it, the word on its button, and what it means."""

    key: str
    word: str
    value: Any


class Choice(ModalScreen[Any]):
    """A question with a few answers. Dismissed with the `value` of the answer given, or None for Esc, which means `back`.

    The cursor stands on the first answer, so Enter gives that one.
    """

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "back", tooltip="Answer nothing; nothing happens", id="dialog.back"),
        Binding("left,up", "app.focus_previous", "previous", show=False, tooltip="The answer before", id="dialog.previous"),
        Binding("right,down", "app.focus_next", "next", show=False, tooltip="The answer after", id="dialog.next"),
    ]

    def __init__(self, title: str, text: str, answers: Sequence[Answer], *, back: str = "back") -> None:
        super().__init__()
        self._title = one_line(title)
        self._text = clean(text)
        self._answers = tuple(answers)
        self._back = back

    def compose(self) -> ComposeResult:
        """Title, text, one button an answer."""
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="dialog-title", markup=False)
            if self._text:
                yield Static(self._text, classes="dialog-text", markup=False)
            with Horizontal(classes="dialog-answers"):
                for number, answer in enumerate(self._answers):
                    yield Button(f"{answer.key} {answer.word}", id=f"answer-{number}", compact=True)
                yield KeyWords(f"Esc {self._back}", classes="dialog-back")

    def on_key(self, event: events.Key) -> None:
        """Give the answer whose key was pressed."""
        for answer in self._answers:
            if event.character == answer.key or event.key == answer.key.lower():
                event.stop()
                self.dismiss(answer.value)
                return

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Give the answer of the button."""
        number = int(str(event.button.id).removeprefix("answer-"))
        self.dismiss(self._answers[number].value)


def confirm(title: str, text: str, yes: str = "yes", no: str = "no") -> Choice:
    """A yes-or-no question: dismissed with True, False, or None for Esc. `no` comes first: Enter alone changes nothing."""
    return Choice(title, text, (Answer("n", no, False), Answer("y", yes, True)))


class AskLine(ModalScreen[str | None]):
    """Asks for one line of text. `check` returns what is wrong with it (shown below, the dialog stays) or None. A `secret`
    line is not shown as it is typed.

    Dismissed with the line, stripped, or None for Esc.
    """

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "back", tooltip="Leave everything as it is", id="ask.back"),
        Binding("tab", "complete", "complete", show=False, priority=True, tooltip="Take the completion that is shown", id="ask.complete"),
    ]

    def __init__(
        self,
        title: str,
        text: str = "",
        value: str = "",
        *,
        placeholder: str = "",
        suggester: Suggester | None = None,
        check: Callable[[str], str | None] | None = None,
        secret: bool = False,
    ) -> None:
        super().__init__()
        self._title, self._text, self._value = one_line(title), clean(text), value
        self._placeholder, self._suggester, self._check, self._secret = placeholder, suggester, check, secret

    def compose(self) -> ComposeResult:
        """Title, text, the line, what is wrong with it."""
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="dialog-title", markup=False)
            if self._text:
                yield Static(self._text, classes="dialog-text", markup=False)
            yield LineInput(self._value, placeholder=self._placeholder, suggester=self._suggester, password=self._secret)
            yield Static("", classes="dialog-wrong", markup=False)
            keys = "Enter go   Tab complete   Esc back" if self._suggester else "Enter go   Esc back"
            yield KeyWords(keys, classes="dialog-keys")

    def on_mount(self) -> None:
        """The cursor after what is there already."""
        line = self.query_one(LineInput)
        line.focus()
        line.cursor_position = len(line.value)

    async def action_complete(self) -> None:
        """Take the completion, also where Tab comes before it is shown."""
        await self.query_one(LineInput).complete()

    def on_input_changed(self) -> None:
        """What was wrong may be right now."""
        self.query_one(".dialog-wrong", Static).update("")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Dismiss with the line, or say what is wrong with it."""
        line = event.value.strip()
        wrong = self._check(line) if self._check else (None if line else "nothing was typed")
        if wrong:
            self.query_one(".dialog-wrong", Static).update(one_line(wrong))
        else:
            self.dismiss(line)


ALONE = "Kept ones serve on their own; one whose process dies is not started again until a daemon runs, which the next command starts."
"""What it means that solvers are kept while the app, and with it the daemon, goes."""
NAMED = 4
"""Solvers that the terminal is told of by name."""


@dataclass(frozen=True, slots=True)
class Leave:
    """How the app is left: whether the embedded daemon ends, and with it the solvers."""

    shut_down: bool = False
    stop_solvers: bool = False
    serving: tuple[str, ...] = ()
    """Solvers that go on without the app."""

    @property
    def farewell(self) -> str:
        """What the terminal says once the app is gone: who goes on, and how that ends; empty where nobody does."""
        if not self.serving:
            return ""
        if len(self.serving) == 1:
            return f"1 solver keeps serving: {self.serving[0]}. End it: cvflow stop {self.serving[0]}"
        more = f" and {len(self.serving) - NAMED} more" if len(self.serving) > NAMED else ""
        named = ", ".join(self.serving[:NAMED])
        return f"{len(self.serving)} solvers keep serving: {named}{more}. End one: cvflow stop NAME; see them: cvflow ps"


async def ask_to_leave(app: CvflowApp) -> Leave | None:
    """What to do on leaving; None to stay. Asks only where solvers run in a daemon that would end with the app.

    A daemon that lives in another open app is that app's: leaving this one leaves it alone.
    """
    if not app.client_ready:
        return Leave()
    try:
        status = await app.client.status()
        live = [solver.name for solver in await app.client.solvers() if solver.state.is_live]
    except CvflowError:
        # A daemon that does not answer must not keep anyone in the app.
        return Leave()
    serving = tuple(one_line(name, 120) for name in live)
    if not status.embedded or status.pid != os.getpid():
        return Leave(serving=serving)
    if not live:
        return Leave(shut_down=True)
    count = f"{plural(len(live), 'solver')} {'runs' if len(live) == 1 else 'run'}"
    answers = (Answer("k", "keep serving", False), Answer("s", "stop it" if len(live) == 1 else "stop them", True))
    text = "\n".join(one_line(name, 60) for name in live[:8])
    text += f"\nand {len(live) - 8} more" if len(live) > 8 else ""
    stop = await app.push_screen_wait(Choice(f"Quit: {count}", f"{text}\n\n{ALONE}", answers, back="stay"))
    return None if stop is None else Leave(shut_down=True, stop_solvers=bool(stop), serving=() if stop else serving)
