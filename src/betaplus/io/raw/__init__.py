"""Raw PET data: the project's container, Interfile/STIR, Siemens list mode and normalisation."""
