"""``python -m peta_viz`` is the command ``peta-viz``."""

from peta_viz.cli import main

if __name__ == "__main__":
    main()
