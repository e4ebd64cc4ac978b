"""The words of the product as types: frozen, pure, importing nothing but the standard library."""
