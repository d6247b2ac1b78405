"""Images and maps as DICOM, in the study of the series that they were made from."""
