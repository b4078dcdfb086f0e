"""Points: the journal, the rules that earn them, and the proof that they add up."""
