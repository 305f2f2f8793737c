"""What peta-viz calls quick, measured beside what people use today."""
