"""What medical peripherals say: bytes ↔ measurements, GATT procedures, and virtual peripherals."""
