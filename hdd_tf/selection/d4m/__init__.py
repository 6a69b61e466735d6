"""D4M: prototypes of latents, which a diffusion model turns into images."""
