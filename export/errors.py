"""What can be wrong with what a user hands to the exporter.

ExportError
├── BadFile
│   ├── BadCheckpoint   weights that are not a network's of this family
│   ├── BadModel        an ONNX file that cannot be served
│   ├── BadMode         weights for other speech features
│   └── BadSource       a video, picture, landmark, feature or package file
├── DiskFull            no room for what is written
├── BadName             a name Triton or the wire cannot carry
├── NameTaken           a name that another avatar or model has
├── VerificationFailed  an export that differs from PyTorch
├── EngineFailed        TensorRT refused the network
├── MissingExtra        a part that needs a package that is not installed
└── MissingFaceModels   the face detector's model files are not installed
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "BadCheckpoint",
    "BadFile",
    "BadMode",
    "BadModel",
    "BadName",
    "BadSource",
    "DiskFull",
    "EngineFailed",
    "ExportError",
    "MissingExtra",
    "MissingFaceModels",
    "NameTaken",
    "VerificationFailed",
]

FACE_MODELS = "mediapipe==0.10.21"
"""As in ``requirements/detect.txt``, which an installed wheel has not at hand."""


MAX_GOT_CHARACTERS = 1000
"""A file may hold names of any length, and a sentence shows some."""


class ExportError(Exception):
    """Base of every error this package raises for bad input."""


class BadFile(ExportError):
    """A file that is not what it should be.

    Attributes:
        path: The file or folder.
        expected: What should have been there.
        got: What was there.
    """

    def __init__(self, path: Path, expected: str, got: str) -> None:
        super().__init__(path, expected, got)
        self.path, self.expected, self.got = path, expected, got

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, got {self.got[:MAX_GOT_CHARACTERS]}"


class BadCheckpoint(BadFile):
    """Raised when weights are not those of a network of this family, or hold anything but finite numbers."""


class BadModel(BadFile):
    """Raised when an ONNX file has other inputs or outputs than the network's."""


class BadMode(BadFile):
    """Raised when weights are for other speech features than those that were named, or that came with the clip."""


class BadSource(BadFile):
    """Raised when a video, picture, landmark, feature or package file is missing, cut short or of another shape."""


class DiskFull(ExportError):
    """Raised when a disk, or what a user may have of it, is full.

    Attributes:
        path: The file or folder that was to be written, and is not there.
        reason: The system's words.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"{self.path}: expected room on the disk to write it, got: {self.reason}"


class BadName(ExportError):
    """Raised when an avatar's name cannot be a Triton model name on the wire."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return (
            "expected an avatar name of 1 to 64 letters, digits, '-' or '_' that starts with a letter or digit, "
            f"is not jpeg_encode or jpeg_live and does not end in _frames, _unet, _speech or _live, got {self.name!r}"
        )


class NameTaken(ExportError):
    """Raised when an avatar's name is another's, which is not to be replaced.

    Attributes:
        path: The other's folder.
        origin: What the other was made of.
    """

    def __init__(self, path: Path, origin: str) -> None:
        super().__init__(path, origin)
        self.path, self.origin = path, origin

    def __str__(self) -> str:
        return (
            f"{self.path}: expected a name that is free, or this package's already, got one of {self.origin}"
        )


class VerificationFailed(ExportError):
    """Raised when an exported model does not give what PyTorch gives."""


class EngineFailed(ExportError):
    """Raised when TensorRT cannot parse or build the network."""


class MissingExtra(ExportError):
    """Raised when a command needs an optional dependency that is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(package, extra)
        self.package, self.extra = package, extra

    def __str__(self) -> str:
        return f"this needs {self.package}: pip install 'triton-lipsync[{self.extra}]'"


class MissingFaceModels(ExportError):
    """Raised when a face is to be found and the wheel that carries the detector's models is not installed."""

    def __str__(self) -> str:
        return f"finding a face needs MediaPipe's model files: pip install --no-deps {FACE_MODELS}"
