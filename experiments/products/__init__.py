"""What a job may hand over: each kind says how it is written, checked, shown and tested."""
