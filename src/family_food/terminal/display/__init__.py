"""What the person sees: pages for terminals, screen readers and pipes."""
