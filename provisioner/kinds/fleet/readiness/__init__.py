"""When a member is ready: by its state, its status checks, or because it says that user data has finished."""
