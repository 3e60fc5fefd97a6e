"""Which events follow which medicines, by designs that err differently."""
