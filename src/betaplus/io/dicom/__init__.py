"""DICOM series of PET images; pydicom is imported on use."""
