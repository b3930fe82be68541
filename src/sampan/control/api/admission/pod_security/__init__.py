"""Pod Security admission: the Pod Security Standards, asked for by a namespace's labels."""
