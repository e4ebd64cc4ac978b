"""The training place, the curve, and how numbers are said."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from textual.widgets import Static

from cvflow_tui.model.jobs import Job, JobState
from cvflow_tui.model.projects import DetectionMetrics, Prequential, Round, RoundState
from cvflow_tui.screens.annotate.words import change, fraction, round_ended, round_line, round_progress, sparkline, spell_time
from cvflow_tui.screens.dialogs import Choice
from cvflow_tui.screens.training import TrainingScreen
from cvflow_tui.screens.training_curve import curve
from cvflow_tui.widgets.key_bar import KeyBar
from tests.app.conftest import screen_text
from tests.iae_screens.conftest import Opened, Stage
from tests.iae_screens.fake_projects import METRICS, FakeProjects

BEFORE, AFTER = DetectionMetrics(5, 0.9, 0.8, 0.71), DetectionMetrics(5, 0.9, 0.8, 0.74)


def place(stage: Stage) -> TrainingScreen:
    screen = stage.app.screen_stack[0]
    assert isinstance(screen, TrainingScreen)
    return screen


def summary(stage: Stage) -> str:
    return str(place(stage).query_one("#summary", Static).content)


async def test_rounds_stand_newest_first_with_what_they_brought(opened: Opened, fake: FakeProjects) -> None:
    stored = fake.stored["raccoons"]
    stored.rounds = [
        Round(1, RoundState.PROMOTED, 10, 1.0, 6.0, "r1", AFTER, BEFORE),
        Round(2, RoundState.KEPT_OLD, 20, 2.0, 7.0, "r2", BEFORE, AFTER, "AP50 fell on the held-back pictures"),
    ]
    stored.prequential = Prequential(METRICS, METRICS, (0.2, 0.5, 0.8))
    async with opened(fake, place="training") as stage:
        await stage.until(lambda: len(place(stage).table.items) == 2, "the rounds")
        assert [each.number for each in place(stage).table.items] == [2, 1]
        assert "P .91 R .84 AP50 .78 over the last 20 finished pictures" in " ".join(summary(stage).split())
        assert "█" in summary(stage)
        assert stage.status == "round 2 kept the old weights: AP50 .74 → .71 (AP50 fell on the held-back pictures)"


async def test_a_round_opens_with_all_that_is_known_of_it(opened: Opened, fake: FakeProjects) -> None:
    why = "AP50 fell on the pictures that were held back from it, by more than chance would have it fall"
    fake.stored["raccoons"].rounds = [Round(1, RoundState.KEPT_OLD, 20, 2.0, 7.0, "r1", BEFORE, AFTER, why)]
    async with opened(fake, place="training", size=(80, 24)) as stage:
        await stage.until(lambda: len(place(stage).table.items) == 1, "the round")
        await stage.keys("enter")
        await stage.until(lambda: isinstance(stage.app.screen, Choice), "the dialog")
        shown = " ".join(screen_text(stage.app).replace("│", " ").split())
        assert why in shown and "before P .90 R .80 AP50 .74" in shown and "after P .90 R .80 AP50 .71" in shown
        await stage.keys("enter")
        await stage.until(lambda: isinstance(stage.app.screen, TrainingScreen), "the place again")


async def test_the_end_of_a_round_is_told_once_however_many_places_follow_it(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake) as stage:
        await stage.keys("T")
        await stage.until(lambda: "fine-tuning" in stage.status, "its progress")
        await stage.keys("f6")
        await stage.until(lambda: isinstance(stage.app.screen, TrainingScreen), "the other place")
        await stage.until(lambda: place(stage).query_one("#progress", Static).has_class("-running"), "its progress there")
        fake.end_round("raccoons", RoundState.PROMOTED, before=BEFORE, held_back=AFTER)
        await stage.until(lambda: "round 1 promoted: AP50 .71 → .74" in stage.toasts, "the toast")
        await stage.until(lambda: not place(stage).query_one("#progress", Static).has_class("-running"), "its end there")
        await stage.pilot.pause(0.3)
        assert stage.toasts.count("round 1 promoted: AP50 .71 → .74") == 1


async def test_a_round_is_started_followed_and_cancelled(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake, place="training") as stage:
        await stage.until(lambda: "after 10 more" in summary(stage), "the summary")
        bar = stage.app.screen.query_one(KeyBar)
        assert "c cancel" not in bar.text
        await stage.keys("T")
        line = place(stage).query_one("#progress", Static)
        await stage.until(lambda: "round 1: fine-tuning 0/100 steps, 10 s left" in str(line.content), "its progress")
        await stage.until(lambda: "c cancel" in bar.text, "the key")
        fake.stored["raccoons"].rounds[-1] = Round(1, RoundState.CANCELLED, 25, 1.0, job="job1")
        await stage.keys("c")
        assert ("cancel", "job1") in fake.calls
        await stage.until(lambda: not line.has_class("-running"), "its end")
        await stage.until(lambda: "round 1 cancelled" in stage.toasts, "the word")


async def test_settings_are_changed_and_nonsense_stays_in_the_dialog(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake, place="training") as stage:
        await stage.until(lambda: "after 10 more" in summary(stage), "the summary")
        await stage.keys("N", "backspace", "backspace", "x", "enter")
        assert len(stage.app.screen_stack) == 2
        await stage.keys("backspace", "5", "enter")
        await stage.until(lambda: "every 5" in summary(stage), "the new rhythm")
        await stage.keys("t", "backspace", "backspace", "6", "enter")
        await stage.until(lambda: "threshold .60" in stage.status, "the new threshold")
        settings = fake.stored["raccoons"].project.settings
        assert (settings.round_every, settings.threshold) == (5, 0.6)


async def test_without_a_project_it_says_where_they_are(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake, place="training", project=None) as stage:
        await stage.until(lambda: "F4 lists the projects" in place(stage).table.empty, "the words")
        await stage.keys("T", "N", "c", "a")
        assert fake.calls == []


@given(st.lists(st.floats(0, 1), max_size=300), st.integers(0, 120), st.integers(0, 8))
def test_a_curve_fills_its_room_and_no_more(values: list[float], width: int, height: int) -> None:
    lines = curve(values, width, height)
    if not values or not width or not height:
        assert lines == []
        return
    assert len(lines) == height
    assert {len(line) for line in lines} == {len(lines[0])}
    assert 0 < len(lines[0]) <= width
    assert " " not in lines[-1], "what was measured leaves a mark"


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_higher_value_never_has_a_lower_column(low: float, high: float) -> None:
    low, high = sorted((low, high))
    lines = curve((low, high), 2, 5)
    levels = [sum(" ▁▂▃▄▅▆▇█".index(line[column]) for line in lines) for column in (0, 1)]
    assert levels[0] <= levels[1]


def test_how_numbers_are_said() -> None:
    assert [fraction(value) for value in (0.914, 1.0, 0.999, 0.0, None)] == [".91", "1.0", "1.0", ".00", "–"]
    assert [change(0.74, 0.71), change(0.5, 0.6), change(0.5, 0.5), change(None, 0.5)] == ["+.03", "-.10", "+.00", ""]
    assert [spell_time(value) for value in (0.4, 6.2, 80, 7500)] == ["0 s", "6 s", "1 min 20 s", "2 h 5 min"]
    assert sparkline((0, 0.5, 1), 2) == "▅█"
    assert sparkline((), 5) == ""


def test_how_rounds_are_said() -> None:
    done = Round(4, RoundState.PROMOTED, 25, 1.0, 6.0, "r4", AFTER, BEFORE)
    assert round_line(done) == "25 pictures · 6 s · +.03 AP50"
    assert round_ended(done) == "round 4 promoted: AP50 .71 → .74"
    failed = Round(5, RoundState.FAILED, 1, 1.0, reason="the solver has no train")
    assert round_line(failed) == "1 picture · failed"
    assert round_ended(failed) == "round 5 failed (the solver has no train)"
    job: Any = Job("j", "round", "p", JobState.RUNNING, "caching features", 3, 10, "pictures", 1.0, 7.0)
    assert round_progress(job) == "round: caching features 3/10 pictures, 7 s left"
