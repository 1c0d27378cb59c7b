"""What the console shows, apart from Django's admin: words, markup, charts, and the questions behind its pages."""
