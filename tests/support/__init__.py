"""The ground tests stand on: servers of their own, a browser, a mail sink, a clock. Fakes only for what is outside."""
