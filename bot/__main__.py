"""The `wismo` command, also as `python -m bot`."""

from bot.cli.main import create_cli


def main() -> None:
    """Run the command that was typed."""
    create_cli()(prog_name="wismo")


if __name__ == "__main__":
    main()
