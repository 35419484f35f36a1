"""What is to be run: the configuration, its trials, prompts and datasets."""
