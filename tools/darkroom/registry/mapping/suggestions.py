"""Models to name when the chosen one cannot do what was asked; a test holds that they can."""

EDITING = "black-forest-labs/flux-kontext-pro, google/nano-banana, qwen/qwen-image-edit-2511"
SEVERAL_IMAGES_IN = "google/nano-banana, black-forest-labs/flux-2-pro, bytedance/seedream-4"
SEVERAL_IMAGES_OUT = "black-forest-labs/flux-schnell (4), minimax/image-01 (9), openai/gpt-image-1.5 (10)"
MASKED = "black-forest-labs/flux-fill-pro, black-forest-labs/flux-fill-dev, ideogram-ai/ideogram-v3-turbo"
VECTOR = "recraft-ai/recraft-v4-svg, recraft-ai/recraft-v3-svg"
WITHOUT_SECRET = "openai/gpt-image-1.5, google/nano-banana"
