"""One input of a model, as the model's own schema states it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

InputType = Literal["string", "integer", "number", "boolean", "array", "any"]


class Facts(BaseModel):
    """What one table of a model file states; an unknown field is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Items(Facts):
    """What an array holds."""

    type: InputType = "string"
    format: str = ""


class ModelInput(Facts):
    """Name, type and limits of one input; a missing `min`, `max` or `enum` means "not stated". "any" is never checked.

    `enum_complete` false: the model takes more values than the listed ones, or (with none listed) a set nobody has
    seen. `applies_when`: sent only while other inputs have these values. `basis` is empty where it is the model's own
    confidence. `rounded`: the model rounds to `multiple_of` by itself.
    """

    name: str
    type: InputType = "string"
    required: bool = False
    default: JsonValue = None
    min: int | float | None = None
    max: int | float | None = None
    multiple_of: int | None = None
    rounded: bool = False
    enum: tuple[JsonValue, ...] = ()
    enum_complete: bool = True
    enum_basis: str = ""
    format: str = ""
    items: Items | None = None
    max_items: int | None = None
    nullable: bool = False
    secret: bool = False
    deprecated: bool = False
    applies_when: dict[str, JsonValue] = {}
    description: str = ""
    basis: Literal["", "schema", "documented", "inferred"] = ""

    @property
    def is_file(self) -> bool:
        """Whether the value is an image reference or a list of them (some models type `*_url` as plain text)."""
        item_format = self.items.format if self.items else ""
        return "uri" in (self.format, item_format) or (self.type == "string" and self.name.endswith("_url"))
