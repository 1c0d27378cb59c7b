#!/usr/bin/env python
"""Django's command line for this project."""

import os
import sys


def main() -> None:
    """Run the management command named on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jobsite.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        if sys.argv[1:2] == ["stack"]:
            # The supervisor needs the settings and no application; loading them all would cost every start a second.
            from jobsite.management.commands.stack import Command

            Command().run_from_argv(sys.argv)
        else:
            from accounts import origin

            # What a command does is recorded as done by it.
            with origin.command(sys.argv[1] if len(sys.argv) > 1 else "help"):
                execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # A setting that is wrong names itself in one line; where it was read is of no use to whoever set it.
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
