"""Write the JSON Schemas of every message: `python -m schemas.publish`. A test compares them with what is committed."""

import json
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from schemas import enrolment, messages
from schemas.reading import Reading

PUBLISHED: Final[dict[str, type[BaseModel]]] = {
    "reading": Reading,
    "reading-batch": messages.ReadingBatch,
    "receipt": messages.Receipt,
    "status": messages.Status,
    "event": messages.Event,
    "request": messages.Request,
    "enrol-request": enrolment.EnrolRequest,
    "renew-request": enrolment.RenewRequest,
    "certified": enrolment.Certified,
    "refusal": enrolment.Refusal,
}

FOLDER: Final = Path(__file__).parent / "json"


def rendered() -> dict[str, str]:
    """File name → text of each published schema."""
    return {
        f"{name}.json": json.dumps(model.model_json_schema(mode="validation"), indent=2, sort_keys=True) + "\n"
        for name, model in PUBLISHED.items()
    }


def main() -> None:
    """Write them all."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in rendered().items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
