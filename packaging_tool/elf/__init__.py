"""What ELF files say of themselves, and how those of a project are built, split and related to packages."""
