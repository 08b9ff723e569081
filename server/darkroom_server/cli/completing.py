"""What a shell may offer while a command is being typed."""


def model_names(incomplete: str) -> list[str]:
    """Names of models that begin like this, with their owner or without."""
    from darkroom.registry import ModelRegistry
    from darkroom.settings import Settings

    names = ModelRegistry.load(Settings.read_or_problem().models_dir).names()
    known = [*names, *(name.partition("/")[2] for name in names)]
    return [name for name in known if name.startswith(incomplete.lower())]
