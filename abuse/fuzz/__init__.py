"""Bad input of every kind, by the hundred thousand: none may end in anything but an answer."""
