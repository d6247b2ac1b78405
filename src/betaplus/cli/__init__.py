"""The command line: one thin command per verb, which parses, calls and prints."""
