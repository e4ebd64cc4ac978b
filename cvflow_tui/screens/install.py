"""An install: what it will do, then how far it is, then how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.jobs import Job, JobState
from cvflow_tui.model.mending import Mend
from cvflow_tui.model.packages import InstallPlan, InstallRequest, Upgrade, UpgradeRequest
from cvflow_tui.model.text import clean, one_line
from cvflow_tui.screens.install_again import ask_again, mends_of
from cvflow_tui.screens.install_script import ScriptScreen
from cvflow_tui.widgets.figures import bar, bytes_of, seconds_of
from cvflow_tui.widgets.key_words import KeyWords
from cvflow_tui.widgets.plan_text import plan_text

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient

MUTED = "$muted"
WIDTH = 40
"""Cells of the progress bar."""


class InstallScreen(ModalScreen[str | None]):
    """Shows the plan of an install or an upgrade, does it on Enter, follows the job. Dismissed with the package, or None.

    While it installs, Esc and `c` cancel; nothing of a cancelled install is installed.
    """

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,y", "go", "install", tooltip="Install it", id="install.go"),
        Binding("down,j", "scroll(1)", "down", show=False, tooltip="Further down in the plan", id="install.down"),
        Binding("up,k", "scroll(-1)", "up", show=False, tooltip="Further up in the plan", id="install.up"),
        Binding("pagedown,ctrl+d", "page(1)", "page down", show=False, tooltip="A page down in the plan", id="install.page_down"),
        Binding("pageup,ctrl+u", "page(-1)", "page up", show=False, tooltip="A page up in the plan", id="install.page_up"),
        Binding("escape,c,n,q", "back", "cancel", tooltip="Cancel; nothing is installed", id="install.cancel"),
        Binding("s", "script", "script", show=False, tooltip="Read a script of the package, and allow it to run", id="install.script"),
        Binding("r", "again", "install anew", show=False, tooltip="Install anew what is installed already", id="install.again"),
        Binding("m", "mend", "try again", show=False, tooltip="Try again with the options that may help", id="install.mend"),
        Binding("t", "rest", "the rest", show=False, tooltip="All that is known of a failure: its traceback; and back", id="install.rest"),
    ]

    def __init__(
        self, client: DaemonClient, request: InstallRequest | UpgradeRequest | str, installed: Callable[[], None] | None = None
    ) -> None:
        """`installed` is called as soon as it is, while the dialog still says so."""
        super().__init__()
        self._installed = installed
        self.failure: str | None = None
        """What is to be told of an upgrade that ended otherwise than was asked, once the dialog is away."""
        self._client = client
        self._request = request if isinstance(request, UpgradeRequest) else InstallRequest.of(request)
        self._plan: InstallPlan | None = None
        self._job: Job | None = None
        self._over = False
        self._end_text = ""
        self._detail: str | None = None
        self._mends: tuple[Mend, ...] = ()
        """Options that may help against what forbids the plan, or made the install fail."""
        self._shows_detail = False

    def compose(self) -> ComposeResult:
        """Title, what is known, the keys."""
        with Vertical(classes="dialog"):
            request = self._request
            asked = f"Upgrade {request.ref}" if isinstance(request, UpgradeRequest) else f"Install {request.source}"
            yield Static(one_line(asked, 120), classes="dialog-title", markup=False)
            with VerticalScroll(classes="install-text", can_focus=False):
                yield Static("Looking at what it needs …", id="text", markup=False)
            yield KeyWords("Esc back", classes="dialog-keys")

    def on_mount(self) -> None:
        """Ask for the plan."""
        self.run_worker(self._look(), group="plan")

    def _say(self, text: Content, keys: str) -> None:
        self.query_one("#text", Static).update(text)
        self.query_one(KeyWords).say(keys)

    async def _look(self) -> None:
        try:
            self._plan = await self._ask_plan()
        except CvflowError as error:
            self._end(error.message, "$error", error.detail)
            return
        self._show_plan(self._plan)

    async def _ask_plan(self) -> InstallPlan:
        request = self._request
        if isinstance(request, UpgradeRequest):
            return await self._client.plan_upgrade(request)
        return await self._client.plan_install(request)

    def _show_plan(self, plan: InstallPlan) -> None:
        if isinstance(self._request, UpgradeRequest) and plan.replaces == plan.package.summary.version and not plan.changes:
            how = f"is up to date {plan.held}" if plan.held else "is the newest there is."
            self._end(f"{plan.package.summary.ref} {plan.replaces} {how}", MUTED)
            return
        if plan.unchanged:
            self._end(f"{plan.package.summary.ref} {plan.replaces} is installed already, nothing to do.", MUTED)
            self.query_one(KeyWords).say("Enter close   r install anew")
            return
        self.query_one(".dialog-title", Static).update(one_line(_title(plan), 120))
        keys = [] if plan.problems else ["Enter install"]
        keys += ["s script"] if plan.scripts else []
        self._mends = mends_of(plan.findings) if isinstance(self._request, InstallRequest) else ()
        keys += ["m try with …"] if self._mends else []
        self._say(plan_text(plan, self._width()), "   ".join([*keys, "Esc back"]))

    def action_again(self) -> None:
        """Install anew what is installed already: plan all of it."""
        if self._plan is not None and self._plan.unchanged and isinstance(self._request, InstallRequest):
            self._request, self._over = replace(self._request, again=True), False
            self._say(Content("Looking at what it needs …"), "Esc back")
            self.run_worker(self._look(), group="plan", exclusive=True)

    def action_script(self) -> None:
        """Read the next script that is not allowed yet (or the first), and allow it."""
        if self._plan is not None and self._plan.scripts and self._job is None:
            scripts = self._plan.scripts
            script = next((each for each in scripts if not each.allowed), scripts[0])
            self.app.push_screen(ScriptScreen(script), self._allow)

    def _allow(self, digest: str | None) -> None:
        if digest is not None and digest not in self._request.scripts:
            self._request = replace(self._request, scripts=(*self._request.scripts, digest))
            self._say(Content("Looking again …"), "Esc back")
            self.run_worker(self._look(), group="plan", exclusive=True)

    def _width(self) -> int:
        """Cells of a line of the text, one left for a scrollbar."""
        return (self.query_one(".install-text").container_size.width or 68) - 1

    def on_resize(self) -> None:
        """Another width wraps the plan otherwise."""
        if self._plan is not None and self._job is None and not self._over:
            self.query_one("#text", Static).update(plan_text(self._plan, self._width()))

    def action_scroll(self, lines: int) -> None:
        """Move a plan that is longer than the screen."""
        self.query_one(".install-text").scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        """Move it by a screen, less the line that is read on from."""
        self.action_scroll(pages * max(1, self.query_one(".install-text").container_size.height - 1))

    def action_go(self) -> None:
        """Begin; or put the dialog away once it is over."""
        if self._over:
            self.action_back()
        elif self._plan is not None and not self._plan.problems and self._job is None:
            self.run_worker(self._install(), group="install", exclusive=True)

    async def _install(self) -> None:
        try:
            request = self._request
            self._job = await (self._client.upgrade(request) if isinstance(request, UpgradeRequest) else self._client.install(request))
            async for job in self._client.follow(self._job.id):
                self._job = job
                self._show_job(job)
        except CvflowError as error:
            self._end(error.message, "$error", error.detail)

    def _show_job(self, job: Job) -> None:
        if job.state is JobState.RUNNING:
            self._say(progress_text(job), "Esc cancel")
        elif job.state is JobState.DONE:
            self._end(*self._done(job))
            if self._installed is not None:
                self._installed()
        elif job.state is JobState.CANCELLED:
            self._end("Cancelled, nothing was installed.", MUTED)
        else:
            self._mends = job.mends if isinstance(self._request, InstallRequest) else ()
            self._end(job.error or "It failed, and the daemon did not say why.", "$error", job.detail)

    def _done(self, job: Job) -> tuple[str, str]:
        """How it ended, and the colour of that."""
        if not isinstance(self._request, UpgradeRequest):
            return "Installed. F2 shows its solvers; s starts one.", "$success"
        from cvflow_tui.backend.client import result_of

        upgrade = result_of(job, Upgrade)
        version = upgrade.package.summary.version
        if upgrade.failure is not None:
            self.failure = upgrade.failure
            goes_on = "" if upgrade.down else f"Version {version} serves on." if upgrade.rolled_back else "b goes back."
            return f"{upgrade.failure}\n\n{goes_on}".strip(), "$error"
        lines = [f"Version {version} is installed." + (f" {upgrade.previous} is kept: b goes back to it." if upgrade.previous else "")]
        lines += [f"{name} serves it now." for name in upgrade.restarted]
        lines += [f"{name} goes on serving the version before until it is restarted." for name in upgrade.serving_old]
        return "\n".join(lines), "$success"

    def _end(self, text: str, style: str, detail: str | None = None) -> None:
        self._over, self._end_text, self._detail = True, text, detail
        self._say(Content.styled(clean(text), style), self._end_keys())

    def _end_keys(self) -> str:
        keys = ["m try again with …"] if self._mends else []
        return "   ".join([*keys, "Enter close", *(["t the rest"] if self._detail else [])])

    def action_mend(self) -> None:
        """Show the options that may help, and look again with them."""
        if self._mends and (self._over or self._job is None):
            self.run_worker(self._mend(), group="mend", exclusive=True)

    async def _mend(self) -> None:
        request = self._request
        if isinstance(request, InstallRequest) and (again := await ask_again(self.app, request, self._mends)):
            self._request, self._plan, self._job, self._over, self._mends, self._detail = again, None, None, False, (), None
            self._say(Content("Looking again …"), "Esc back")
            await self._look()

    def action_rest(self) -> None:
        """Show what stands behind a failure, or put it away."""
        if self._detail is None:
            return
        self._shows_detail = not self._shows_detail
        line = Content.styled(clean(self._end_text), "$error")
        rest = Content(clean(self._detail).strip())
        self._say(Content("\n\n").join([line, rest]) if self._shows_detail else line, self._end_keys())

    def action_back(self) -> None:
        """Go back, or cancel what runs."""
        if self._over or self._job is None:
            done = self._job is not None and self._job.state is JobState.DONE
            self.dismiss(self._plan.package.summary.ref if done and self._plan else None)
        else:
            self._say(progress_text(self._job), "cancelling …")
            self.run_worker(self._cancel(self._job.id), group="cancel", exclusive=True)

    async def _cancel(self, job_id: str) -> None:
        try:
            await self._client.cancel_job(job_id)
        except CvflowError as error:
            self._end(error.message, "$error", error.detail)


def _title(plan: InstallPlan) -> str:
    """What will be done."""
    summary, before = plan.package.summary, plan.replaces
    if before is None:
        return f"Install {summary.ref} {summary.version}"
    return f"Install {summary.ref} {before} anew" if before == summary.version else f"Replace {summary.ref} {before} by {summary.version}"


def progress_text(job: Job) -> Content:
    """The step, a bar, how much of how much, how fast, how long still."""
    if job.unit == "bytes":
        done, total = bytes_of(job.done), bytes_of(job.total)
        rate = f"{bytes_of(job.rate)}/s" if job.rate else ""
    else:
        done, total = f"{job.done:g}", f"{job.total:g}" if job.total is not None else "–"
        rate = f"{job.rate:.1f} {job.unit}/s" if job.rate else ""
    amount = f"{done} of {total}" if job.total is not None else done
    amount = f"{amount} {job.unit}" if job.unit not in ("", "bytes") else amount
    left = f"{seconds_of(job.eta)} left" if job.eta is not None else ""
    facts = " · ".join(part for part in (amount if job.total or job.done else "", rate, left) if part)
    progress = Content.styled(bar(job.done, job.total, WIDTH), "$accent")
    return Content("\n").join([Content(one_line(job.step or "starting")), progress, Content.styled(one_line(facts), MUTED)])
