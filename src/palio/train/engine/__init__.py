"""Who carries out orders: worker processes of this machine, or the process itself."""
