"""What shows Rocade working without the outside world: sample files, a local data.gouv.fr, the demo itself."""
