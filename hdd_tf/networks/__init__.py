"""Networks: architectures, functional form, initialisation, pools and teachers."""
