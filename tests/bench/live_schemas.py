"""How well the rules of registry/live_schema read schemas: precision and recall of each concept, and the time a schema.

    PYTHONPATH=tests python tests/bench/live_schemas.py MODELS.json [MORE.json ...]

A file is a list of objects with `name`, `inputs` (name, type, required, default, min, max, enum, format, items,
description …), `output` (kind) and `concepts`: what a person read in them. Each is written as cog writes schemas, in
three styles, and described again. A third of the models, chosen by a hash of their names, was not looked at while the
rules were shaped; its figures stand apart.
"""

import argparse
import hashlib
import json
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from darkroom.registry.live_schema import describe

Style = Literal["allOf", "anyOf null", "inline"]
STYLES: tuple[Style, ...] = ("allOf", "anyOf null", "inline")
CORE = (
    *("prompt", "negative_prompt", "aspect_ratio", "width", "height", "size", "count", "seed", "output_format"),
    *("output_quality", "guidance", "steps", "strength", "image", "mask"),
)
OTHER = ("prompt_rewrite", "safety", "style", "lora", "lora_scale", "render_quality", "fast_mode", "upscale_factor")
_PLAIN = ("title", "description", "default", "maximum", "minimum", "maxItems", "format", "items", "nullable")


def cog_body(entry: Mapping[str, Any], style: Style = "allOf", *, texts: bool = True) -> dict[str, Any]:
    """The model object that a gateway would give for an entry."""
    schemas: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for order, item in enumerate(entry["inputs"]):
        properties[item["name"]] = _property(item, order, schemas, style, texts=texts)
    fields: dict[str, Any] = {"type": "object", "title": "Input", "properties": dict(_by_length(properties))}
    if required := [item["name"] for item in entry["inputs"] if item.get("required")]:
        fields["required"] = required
    uri = {"type": "string", "format": "uri"}
    kind = entry.get("output", {}).get("kind", "uri")
    schemas |= {"Input": fields, "Output": uri if kind == "uri" else {"type": "array", "items": uri}}
    ending = "svg" if entry.get("output", {}).get("svg") else "png"
    example = f"https://example.com/out.{ending}"
    owner, _, name = str(entry["name"]).partition("/")
    return {
        "owner": owner,
        "name": name,
        "description": entry.get("best_for", ""),
        "default_example": {"output": example if kind == "uri" else [example]},
        "latest_version": {"id": "0" * 64, "openapi_schema": {"components": {"schemas": schemas}}},
    }


def _by_length(properties: dict[str, Any]) -> list[tuple[str, Any]]:
    """Gateways send keys sorted by their length; `x-order` has the author's order."""
    return sorted(properties.items(), key=lambda pair: (len(pair[0]), pair[0]))


def _property(
    item: Mapping[str, Any], order: int, schemas: dict[str, Any], style: Style, *, texts: bool
) -> dict[str, Any]:
    facts = {**item, "minimum": item.get("min"), "maximum": item.get("max"), "maxItems": item.get("max_items")}
    described = {key: facts[key] for key in _PLAIN if facts.get(key) is not None}
    if not texts:
        described.pop("description", None)
    described |= {"x-order": order, "title": item["name"].replace("_", " ").title()}
    if item.get("secret"):
        described |= {"format": "password", "x-cog-secret": True}
    if item.get("deprecated"):
        described["deprecated"] = True
    kind: dict[str, Any] = {"type": item["type"]}
    if (values := item.get("enum")) and item.get("enum_complete", True):
        kind["enum"] = values
        if style == "allOf":
            schemas[item["name"]] = kind
            kind = {"allOf": [{"$ref": f"#/components/schemas/{item['name']}"}]}
    if style == "anyOf null" and not item.get("required"):
        kind = {"anyOf": [{**kind, **_moved(described)}, {"type": "null"}]}
    return described | kind


def _moved(described: dict[str, Any]) -> dict[str, Any]:
    """Where the type is one of a union its limits stand within it."""
    names = ("minimum", "maximum", "format", "items", "maxItems")
    return {name: described.pop(name) for name in names if name in described}


def is_held_out(name: str) -> bool:
    return hashlib.sha256(name.encode()).digest()[0] % 3 == 0


def compare(wanted: Mapping[str, Any], found: Mapping[str, Any], concepts: tuple[str, ...]) -> Counter[str]:
    """right, wrong and missed of one model."""
    score: Counter[str] = Counter()
    for each in concepts:
        want, have = wanted.get(each) or "", found.get(each) or ""
        score["right"] += bool(want) and want == have
        score["wrong"] += bool(have) and want != have
        score["missed"] += bool(want) and want != have
    return score


def report(entries: list[dict[str, Any]], title: str, *, is_loud: bool) -> None:
    core, every, polarity = Counter[str](), Counter[str](), Counter[str]()
    for entry in entries:
        for style in STYLES:
            model = describe(cog_body(entry, style)).model
            found = model.concepts.model_dump()
            core += compare(entry["concepts"], found, CORE)
            every += compare(entry["concepts"], found, CORE + OTHER)
            if entry["concepts"].get("mask") and found["mask"]:
                polarity[str(found["mask_polarity"] == entry["concepts"].get("mask_polarity", "white_is_edited"))] += 1
        if is_loud:
            show(entry)
    for name, score in (("core concepts", core), ("all concepts", every)):
        precision = score["right"] / max(score["right"] + score["wrong"], 1)
        recall = score["right"] / max(score["right"] + score["missed"], 1)
        print(f"{title:24} {len(entries):4} models  {name:14} P {precision:.3f} R {recall:.3f}  {dict(score)}")
    print(f"{title:24} mask polarity: {polarity['True']} right, {polarity['False']} wrong")


def show(entry: Mapping[str, Any]) -> None:
    described = describe(cog_body(entry))
    found = described.model.concepts.model_dump()
    for each in CORE + OTHER:
        want, have = entry["concepts"].get(each) or "", found[each]
        if want != have:
            print(f"  {entry['name']}: {each} is {want or '-'}, found {have or '-'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--show", action="store_true", help="name each difference of the models shaped on")
    arguments = parser.parse_args()
    entries: list[dict[str, Any]] = [each for path in arguments.files for each in json.loads(path.read_text("utf-8"))]
    report([each for each in entries if not is_held_out(each["name"])], "shaped on", is_loud=arguments.show)
    report([each for each in entries if is_held_out(each["name"])], "not looked at", is_loud=False)
    bodies = [cog_body(each, style) for each in entries for style in STYLES]
    began_s = time.process_time()
    for body in bodies:
        describe(body)
    print(f"{(time.process_time() - began_s) / len(bodies) * 1000:.2f} ms of processor time a schema")


if __name__ == "__main__":
    main()
