"""Virtual peripherals over a virtual radio: real HCI, L2CAP, ATT and GATT."""
