"""The tests, a folder for each room, and for what no room has alone: stories, faults, the project itself."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
