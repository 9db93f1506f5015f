"""The frame around every command line: parse, run, one clear line and an exit status when it goes wrong."""

import argparse
import io
import sys
import traceback
from collections.abc import Callable, Sequence

from perception import stop
from perception.errors import GateFailed, InputError, one_line

# Adds one or more subcommands. Each sets ``run``, a function from parsed arguments to nothing, with ``set_defaults``.
Register = Callable[[argparse._SubParsersAction], None]


# The install group that brings each library which only some commands need.
_GROUPS = {
    "torch": "compress",
    "torch_pruning": "compress",
    "safetensors": "compress",
    "scipy": "compress",
    "tensorboard": "compress",
    "onnx": "export",
    "onnx_ir": "export",
    "onnxscript": "export",
    "onnxsim": "export",
    "onnxruntime": "export",
}


# EX_SOFTWARE of sysexits.h.
_BUG = 70


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Show defaults and keep examples as they are typed."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, []) else super()._get_help_string(action)


class _Parser(argparse.ArgumentParser):
    """A parser whose subcommands share the formatter and whose faults take one line."""

    def __init__(self, *args, **kwargs):
        kwargs.setdefault("formatter_class", _Formatter)
        super().__init__(*args, **kwargs)

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(prog: str, description: str, registers: Sequence[Register], argv: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Returns:
        0 when done, 1 when a gate failed, 2 on bad input or usage or when the system refused (a full disk, no memory
        left), 70 on a fault of the program's own, 130 when interrupted, 143 when terminated.
    """
    parser = _Parser(prog=prog, description=description)
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    for register in registers:
        register(subparsers)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Names of files may hold bytes that are no characters.
            stream.reconfigure(errors="backslashreplace")
    try:
        arguments = parser.parse_args(argv)
        with stop.raised():
            arguments.run(arguments)
    except SystemExit as leaving:
        return int(leaving.code or 0)
    except InputError as error:
        say(f"{prog}: {error}")
        return 2
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in _GROUPS:
            return _unforeseen(prog, error)
        print(
            f"{prog}: {library} is not installed, which this command needs; pip install 'panoedge[{_GROUPS[library]}]'",
            file=sys.stderr,
        )
        return 2
    except GateFailed as error:
        say(f"{prog}: gate failed: {error}")
        return 1
    except stop.Terminated:
        print(f"{prog}: terminated", file=sys.stderr)
        return 143
    except KeyboardInterrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        say(f"{prog}: {error.filename or 'a file'}: {error.strerror or error}")
        return 2
    except Exception as error:
        return _unforeseen(prog, error)
    return 0


def _unforeseen(prog: str, error: Exception) -> int:
    # Torch's own has this name, and is not imported for it.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        say(f"{prog}: out of memory ({error}); a smaller batch, or no --cache, takes less")
        return 2
    # Python's own status is that of a failed gate.
    traceback.print_exception(error)
    return _BUG


def say(line: str) -> None:
    """Tell what is going on in one line, on standard error; results go to standard output."""
    print(one_line(line), file=sys.stderr, flush=True)
