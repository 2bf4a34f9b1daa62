"""What a backend may expect of label-studio-ml 2, which no registry has; the rest is label-studio-sdk's own."""

from __future__ import annotations

from typing import Any


class LabelStudioMLBase:
    """Keeps values by key, reads the labelling interface, finds the files of tasks."""

    def __init__(self, project_id: str | None = None, label_config: str | None = None) -> None:
        self.project_id = project_id or ""
        self._values: dict[str, Any] = {}
        if label_config is not None:
            self.use_label_config(label_config)
        self.setup()

    def setup(self) -> None:
        """For subclasses."""

    def use_label_config(self, label_config: str) -> None:
        """Reads the labelling interface with the real SDK."""
        from label_studio_sdk.label_interface.interface import LabelInterface  # pyright: ignore[reportMissingImports]

        self.label_interface = LabelInterface(config=label_config)

    def get(self, key: str) -> Any:
        """A value that was set."""
        return self._values.get(key)

    def set(self, key: str, value: Any) -> None:
        """Keeps a value."""
        self._values[key] = value

    def get_first_tag_occurence(self, control_type: str, object_type: str) -> tuple[str, str, str]:
        """The names of a control and its object, and the key of the task's data."""
        return self.label_interface.get_first_tag_occurence(control_type=control_type, object_type=object_type)

    def get_local_path(self, url: str, task_id: Any = None, **_: Any) -> str:
        """The file; the real one downloads it."""
        return url
