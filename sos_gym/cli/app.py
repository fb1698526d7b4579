"""The command line, sos-gym: its commands, and how a mistake is reported.

What needs compiled kernels is imported inside the commands, so that help and errors come at once.
"""

from typing import Annotated

import typer
from typer.core import TyperGroup

import sos_gym
from sos_gym.cli import alphabet, cards, importing, leaderboard, recording, run, submitting, train
from sos_gym.cli.printing import exit_of, said_of
from sos_gym.settings.ranges import SettingError
from sos_gym.workload import TapeError

EXTRAS = {"matplotlib": "a picture needs matplotlib: pip install 'sos-gym[plot]'"}  # of modules that are missing
EXTRAS |= {name: f"training needs {name}: pip install 'sos-gym[learn]'" for name in train.NEEDED}


class OneLineErrors(TyperGroup):
    """Says what the caller got wrong in one line on stderr, exit code 2; writes to streams of any encoding."""

    def main(self, *args, **keywords):  # type: ignore[no-untyped-def]
        alphabet.make_streams_readable()
        return super().main(*args, **keywords)

    def invoke(self, ctx):  # type: ignore[no-untyped-def]
        try:
            return super().invoke(ctx)
        except (SettingError, TapeError, sos_gym.StuckError, sos_gym.PolicyError, sos_gym.ActionError) as error:
            said = said_of(error)
        except BrokenPipeError:  # of `| head`; there is nobody to tell
            raise
        except OSError as error:
            said = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        except SystemExit as error:
            said = exit_of(error)
            if not said:  # of rich, when nobody reads on; a command ends by typer.Exit
                raise
        except ModuleNotFoundError as error:
            said = EXTRAS.get((error.name or "").partition(".")[0], "")
            if not said:
                raise
        typer.echo(f"sos-gym: {' '.join(said.split())}", err=True)
        raise typer.Exit(2)


app = typer.Typer(
    cls=OneLineErrors,
    help="Schedulers and memory managers as one Gymnasium family.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("import")(importing.import_trace)
app.command()(recording.record)
app.command()(leaderboard.leaderboard)
app.command()(run.run)
app.command()(submitting.submit)
app.command()(submitting.verify)
app.command()(train.train)
app.command()(cards.workloads)
app.command()(cards.policies)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sos-gym {sos_gym.__version__}")
        raise typer.Exit()


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
