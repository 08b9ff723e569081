-- NULL where nobody has looked
ALTER TABLE images ADD COLUMN is_transparent INTEGER

-- of an SVG: the PNG beside it
ALTER TABLE images ADD COLUMN raster_location TEXT NOT NULL DEFAULT ''
