"""Write the pages that follow from the code before Sphinx reads the pages."""

from pathlib import Path

from generated_files import files_page
from typer.main import get_command

from pipeline import cli, train


def setup(app):
    """Write the pages when a build begins; Sphinx calls this."""
    app.connect("config-inited", _write_pages)
    return {"parallel_read_safe": True}


def _write_pages(app, config):
    folder = Path(app.srcdir) / "reference" / "generated"
    folder.mkdir(parents=True, exist_ok=True)
    pages = {"commands": _commands(), "files": files_page()}
    for name, lines in pages.items():
        path, text = folder / f"{name}.md", "\n".join(lines) + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _commands() -> list[str]:
    lines = ["# Commands", "", "`--help` after any of them prints the same.", ""]
    for name, command in get_command(cli.app).commands.items():
        lines += _command(f"lsbg {name}", command)
    for name, survey in {"lsbg-train-des": train.DES, "lsbg-train-hsc": train.HSC}.items():
        lines += _command(name, get_command(train.training_app(survey)))
    return lines


def _command(name: str, command) -> list[str]:
    arguments = [item for item in command.params if item.param_type_name == "argument"]
    options = [item for item in command.params if item.param_type_name == "option"]
    words = " ".join(_metavar(item) for item in arguments)
    text = " ".join((command.help or "").split())
    lines = [f"## {name}", "", text, "", "```text", f"{name} [OPTIONS] {words}".rstrip(), "```", ""]
    for item in arguments:
        lines += [f"`{_metavar(item)}`", f": {_described(item)}", ""]
    for item in options:
        lines += [f"`{_spelling(item)}`", f": {_described(item)}", ""]
    return lines


def _spelling(option) -> str:
    """Return how an option is written: its names, and its value or its opposite."""
    names = ", ".join(option.opts)
    if option.is_flag:
        return " / ".join([names, *option.secondary_opts])
    annotation = getattr(getattr(option, "type_descriptor", None), "annotation", None)
    kind = {int: "N", float: "NUMBER", Path: "PATH"}.get(annotation, "TEXT")
    return f"{names} {option.metavar or ' '.join([kind] * option.nargs)}"


def _metavar(item) -> str:
    metavar = item.metavar or item.name.upper()
    return metavar if item.required else f"[{metavar}]"


def _described(item) -> str:
    """Return the help and the default of a parameter, on one line."""
    text = " ".join((item.help or "").split()).replace("<", "&lt;")
    if isinstance(item.show_default, str):
        return f"{text} Default: {item.show_default}."
    if item.required:
        return f"{text} Required."
    return text if item.default in (None, False) else f"{text} Default: `{item.default}`."
