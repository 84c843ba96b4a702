-- The synthetic patient is looked up every second, among all patients.
create index patient_synthetic on patient (id) where synthetic;
