"""Judgement: rules over series, the life of an alert, who is told next. Decides, stores nothing."""
