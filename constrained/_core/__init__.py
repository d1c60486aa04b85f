"""The native core (C++17): terms, derivatives, masks. `native` is its typed face."""
