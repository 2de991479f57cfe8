"""The markup of other systems → the blocks of articles, with a warning for each part that is changed or lost."""
