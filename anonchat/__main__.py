"""``python -m anonchat``."""

from anonchat.cli import main

if __name__ == "__main__":
    main()
