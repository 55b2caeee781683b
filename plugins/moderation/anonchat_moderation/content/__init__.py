"""The moderation of content: rules, presets, slow mode, held messages, panic and calm."""
