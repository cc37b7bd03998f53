"""How the sample library is made: voices, pictures, the nine stories, and the files."""
