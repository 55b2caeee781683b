"""The automatic rules, one module each: settings in, (text, facts) -> verdict out."""
