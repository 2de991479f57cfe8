"""Another generation: built, checked, swapped, rolled back."""
