/// The composition root: listeners, loops and what they share.
public enum Gateway {}
