"""Days and minutes by dated rules, with the evidence behind each."""
