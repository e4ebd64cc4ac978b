"""`cvflow` itself: the options before the command, and the list of commands."""

from __future__ import annotations

import sys

import click

from cvflow_tui import __version__
from cvflow_tui.cli.lazy import Entry, LazyGroup, examples
from cvflow_tui.cli.session import Session

SECTIONS = {
    "The workstation": {
        "app": Entry("app", "app", "Open the workstation in this terminal"),
        "demo": Entry("demo", "demo", "Open it on real photographs, or walk the whole path unattended (--batch)"),
    },
    "Packages and solvers": {
        "hub": Entry("hub", "hub", "Find packages: search, show"),
        "install": Entry("packages", "install", "Install a package from the hub, git, an archive, or a folder"),
        "doctor": Entry("doctor", "doctor", "Say why a package can't run here, before anything is downloaded"),
        "list": Entry("packages", "list_packages", "List what is installed"),
        "upgrade": Entry("upgrade", "upgrade", "Bring newer versions of what is installed"),
        "rollback": Entry("upgrade", "rollback", "Go back to the version before the last upgrade"),
        "lock": Entry("upgrade", "lock", "Print what exactly is installed"),
        "remove": Entry("packages", "remove", "Remove a package and whatever only it uses"),
        "verify": Entry("storage", "verify", "Compare what is installed with its lock; --repair brings it back"),
        "disk": Entry("storage", "disk", "What takes room in the home folder"),
        "prune": Entry("storage", "prune", "Delete what nobody uses any more"),
        "start": Entry("solvers", "start", "Run a solver as a REST service"),
        "stop": Entry("solvers", "stop", "Stop a solver"),
        "restart": Entry("settings", "restart", "Restart a solver, with its settings as they are now"),
        "set": Entry("settings", "set_settings", "Say how a solver is to run: replicas, memory, port, autostart"),
        "settings": Entry("settings", "settings", "Show how a solver is to run"),
        "env": Entry("settings", "env", "Environment variables of workers: set, list, unset"),
        "ps": Entry("solvers", "ps", "List the solvers that run"),
        "logs": Entry("logs", "logs", "Show a solver's log"),
        "infer": Entry("infer", "infer", "Run a picture through a solver"),
        "label": Entry("label", "label", "Label folders of pictures into one COCO file"),
    },
    "For the authors of packages": {
        "new": Entry("new", "new", "Write a package to begin with"),
        "check": Entry("check", "check", "Look at a package from every side before others install it"),
    },
    "Projects": {
        "project": Entry("project", "project", "Annotation projects: new, list, status, export, remove"),
        "train": Entry("train", "train", "Fine-tune on a project's annotations now"),
    },
    "The rest": {
        "jobs": Entry("jobs", "jobs", "List installs and rounds in progress; call one off"),
        "daemon": Entry("daemon", "daemon", "The process that owns the home folder: run, status, stop"),
        "completion": Entry("completion", "completion", "Print the completion script of a shell"),
    },
}


@click.group(
    cls=LazyGroup,
    sections=SECTIONS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        "cvflow                                  # open the workstation",
        "cvflow install nanodet --yes && cvflow start nanodet",
        "cvflow infer street.jpg --json",
        "cvflow COMMAND --help",
    )
    + "\n\n\b\nExit codes: 0 ok, 1 internal, 2 usage, 3 not found, 4 refused, 5 remote, 6 package.",
)
@click.option("--home", type=click.Path(file_okay=False), help="The home folder, instead of $CVFLOW_HOME.")
@click.option("--debug", is_flag=True, envvar="CVFLOW_DEBUG", help="Show tracebacks and what stands behind an error.")
@click.version_option(__version__, message="cvflow %(version)s")
@click.pass_context
def cvflow(context: click.Context, home: str | None, debug: bool) -> None:
    """Computer vision in the terminal: get a model, run it as a REST service, annotate with its suggestions, see it learn.

    Without a command, opens the workstation.
    """
    session: Session = context.obj
    session.choose_home(home)
    session.debug = session.debug or debug
    if context.invoked_subcommand is not None:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        click.echo(context.get_help(), err=True)
        context.exit(2)
    from cvflow_tui.cli.workstation import open_app

    context.exit(open_app(session))
