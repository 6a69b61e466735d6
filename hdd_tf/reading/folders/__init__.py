"""Images in files, and folders of them: which splits and classes they are."""
