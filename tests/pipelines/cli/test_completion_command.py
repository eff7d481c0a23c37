from __future__ import annotations

import shutil
import subprocess

import pytest

from ocr_models.arguments import ArgumentParser, parser_of
from pipelines.cli import main as cli

# Calls the function that the script registered, as bash does after Tab.
TAB = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
function=$(complete -p pagebeam | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
$function pagebeam "${@: -1}" "${@: -2:1}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("completion") / "pagebeam.bash"
    with path.open("w") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", file)
        assert cli.main(["completion", "bash"]) == 0
    return str(path)


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["stat"], {"status"}),
        (["run", "--from"], {"--from-file"}),
        (["run", "--log-format", "j"], {"json"}),
        (["train", "rec"], {"recognition"}),
        (["train", "recognition", "--av"], {"--average"}),
        (["completion", ""], {"bash", "zsh", "fish"}),
    ],
)
def test_bash_completes_commands_options_and_choices(script, words, completed):
    tab = ["bash", "--norc", "-c", TAB, "tab", script, "pagebeam", *words]

    output = subprocess.run(tab, capture_output=True, text=True, check=True).stdout

    assert set(output.split()) == completed


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_accept_their_scripts(shell, tmp_path, capsys):
    assert cli.main(["completion", shell]) == 0
    path = tmp_path / "script"
    path.write_text(capsys.readouterr().out)
    assert "--from-file" in path.read_text() or "from-file" in path.read_text()

    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} is installed, which checks the syntax")
    subprocess.run([shell, "-n", str(path)], check=True)


def test_a_command_that_is_asked_for_its_parser_does_nothing_else():
    def main(argv):
        parser = ArgumentParser(prog="asked")
        parser.parse_args(argv)
        raise AssertionError("it went on")

    assert parser_of(main).prog == "asked"
    with pytest.raises(AssertionError):
        main([])
